"""The table of checks: a name to filter by, the clauses it stands on, what it finds; `docs/findings.md` explains."""

from __future__ import annotations

from typing import Final, NamedTuple


class Check(NamedTuple):
    """One kind of finding."""

    name: str
    clauses: tuple[str, ...]
    """A finding names one of these or a subclause of one; the first when it says nothing else."""
    what: str

    def covers(self, clause: str) -> bool:
        """Whether a finding of this kind may name the clause."""
        return any(clause == own or clause.startswith((f"{own}.", f"{own} ", f"{own}-")) for own in self.clauses)


_TABLE: Final = """
unexpected-pdu | PS3.8 9.2.3 | a PDU that its sender may not send in this state
unknown-pdu | PS3.8 9.3.1 | bytes that are no PDU, or a PDU type that does not exist
half-pdu | PS3.8 9.3.1 | a connection closed in the middle of a PDU, by who sent it
malformed-pdu | PS3.8 9.3.2, PS3.8 9.3 | a PDU whose lengths contradict one another
malformed-pdv | PS3.8 9.3.5 | a P-DATA-TF whose PDV lengths lie
pdu-too-long | PS3.8 D.1 | a P-DATA-TF longer than its receiver takes
abort-reason | PS3.8 9.3.8 | an A-ABORT with a reserved source or reason
closed-without-release | PS3.8 9.1.4 | a connection closed without A-RELEASE or A-ABORT
closed-without-context | PS3.8 9.1.4 | a connection closed without A-RELEASE or A-ABORT, no context accepted
odd-fragment | PS3.8 E.1 | a fragment with an odd number of bytes
mixed-messages | PS3.8 E.1 | fragments of several messages in one P-DATA-TF
interleaved-messages | PS3.8 E.1 | fragments of another message before the current one ended
unfinished-message | PS3.8 E.1 | an association released in the middle of a message
context-not-accepted | PS3.8 9.3.5.1 | a message on a presentation context that was not accepted

protocol-version | PS3.8 9.3.2, PS3.8 9.3.3 | version 1 of the protocol is not offered
ae-title | PS3.8 9.3.2, PS3.5 6.2 | an AE title that is empty or has characters it may not have
ae-title-padding | PS3.8 9.3.2 | an AE title not padded with spaces
application-context | PS3.7 A.2.1 | an application context name other than DICOM's
no-contexts | PS3.8 9.3.2 | an A-ASSOCIATE-RQ without presentation contexts
context-id | PS3.8 9.3.2.2, PS3.8 7.1.1.13 | a presentation context ID that is even or used twice
context-without-syntax | PS3.8 9.3.2.2 | a proposed context without abstract syntax or without transfer syntax
missing-item | PS3.8 9.3.2, PS3.8 9.3.3, PS3.8 D.1, PS3.7 D.3.3 | an association PDU without a mandatory item
repeated-item | PS3.8 9.3.2, PS3.8 9.3.3, PS3.8 D.1, PS3.7 D.3.3 | an item that may be there once is there several times
uid-padding | PS3.8 F.1 | a padded UID in an association PDU
maximum-length | PS3.8 9.3.5.1 | a maximum length of 1 to 6, which no PDV fits into
implementation-version | PS3.7 D.3.3.2 | an implementation version name of more than 16 characters
context-not-proposed | PS3.8 7.1.1.14 | an A-ASSOCIATE-AC that answers a context nobody proposed, or one twice
context-not-answered | PS3.8 7.1.1.14 | an A-ASSOCIATE-AC that leaves out a proposed context
context-result | PS3.8 9.3.3.2 | a result of a context that does not exist
transfer-syntax-not-proposed | PS3.8 9.3.3.2 | a context accepted with a transfer syntax that was not proposed for it
title-not-returned | PS3.8 9.3.3 | an A-ASSOCIATE-AC with other titles than the request
negotiation-unasked | PS3.7 D.3.3 | an answer to a negotiation that was not asked for
role-not-proposed | PS3.7 D.3.3.4 | a role accepted that was not proposed
window-too-large | PS3.7 D.3.3.3 | an asynchronous operations window larger than proposed
user-identity | PS3.7 D.3.3.7 | a user identity of an unknown type
reject-reason | PS3.8 9.3.4 | an A-ASSOCIATE-RJ with an undefined result, source or reason

command-set-order | PS3.7 6.3.1 | command elements out of order or twice
command-group-length | PS3.7 6.3.1 | a command group length that is missing or wrong
command-element | PS3.7 6.3.1, PS3.7 E.1 | a command element of the wrong length, or one that does not belong
message-unreadable | PS3.7 6.3.1 | a command set or message that makes no sense
missing-command-element | PS3.7 9.3, PS3.7 10.3 | a command set without a mandatory element
priority | PS3.7 9.3 | a priority other than 0, 1 and 2
data-set-missing | PS3.7 9.3, PS3.7 10.3, PS3.7 E.1 | a message without the data set it must have or announced
data-set-unexpected | PS3.7 9.3, PS3.7 10.3, PS3.7 E.1, PS3.4 C.4 | a data set where none may be or none was announced
uid-invalid | PS3.5 9.1 | a UID that breaks the rules for UIDs
error-comment | PS3.7 E.1 | an Error Comment of more than 64 characters
sop-class-of-context | PS3.7 D.3.2, PS3.4 C.4 | a request for another SOP class than its context is for
role-not-negotiated | PS3.7 D.3.3.4 | a request in a role that was not negotiated
message-id-reused | PS3.7 9.1, PS3.7 10.1 | a message ID used again while its request was outstanding
window-exceeded | PS3.7 D.3.3.3 | more requests outstanding than were negotiated
response-to-nothing | PS3.7 9.3, PS3.7 10.3 | a response to a request nobody made
response-after-final | PS3.7 9.1, PS3.7 10.1 | a response after the final one
response-service | PS3.7 9.3, PS3.7 10.3 | a response of another service than its request
response-context | PS3.7 D.3.2 | a response on another presentation context than its request
response-differs | PS3.7 9.1, PS3.7 10.1 | a response with another SOP class or instance than its request
cancel-of-nothing | PS3.7 9.3 | a C-CANCEL-RQ for a request that cannot be cancelled
status-undefined | PS3.7 C, PS3.7 9.1.5.1.4, PS3.4 B.2.3, PS3.4 C.4 | a status that the service does not define
sub-operation-counts | PS3.4 C.4.2, PS3.4 C.4.3 | missing or forbidden numbers of sub-operations
sub-operation-sums | PS3.4 C.4.2.1, PS3.4 C.4.3.1 | numbers of sub-operations that do not go together
failed-list-missing | PS3.4 C.4.2.1, PS3.4 C.4.3.1 | failed sub-operations without the list of their instances
success-with-failures | PS3.4 C.4.2.3.1, PS3.4 C.4.3.3.1 | a retrieval that counts failures and says success
unanswered-request | PS3.7 A.4 | a release confirmed with requests that were never answered

file-for-data-set | PS3.5 7.1, PS3.10 7.1 | a DICOM file where a data set belongs
wrong-encoding | PS3.5 10, PS3.5 A | a data set in another encoding than its transfer syntax says
data-set-unreadable | PS3.5 7.1 | a data set that cannot be read to its end
group-not-allowed | PS3.5 7.1 | elements of groups that do not belong into a data set
data-set-order | PS3.5 7.1 | elements out of order or twice
odd-length | PS3.5 7.1.1 | a value of odd length
character-set | PS3.3 C.12.1.1.2 | a Specific Character Set that is not defined
undecodable-text | PS3.5 6.1.2.3, PS3.5 6.1.2 | text that its character set cannot say
control-character | PS3.5 6.1.3 | a control character in text
value-padding | PS3.5 6.2 | a value padded with the wrong character
value-format | PS3.5 6.2 | a value too long for its VR or in the wrong form
instance-differs | PS3.7 9.1.1.1, PS3.3 C.12.1 | a stored data set that is not the instance its command names
query-level | PS3.4 C.4.1.1.3, PS3.4 C.4.2.1.4, PS3.4 C.4.3.1.3 | a missing or undefined Query/Retrieve Level
missing-unique-key | PS3.4 C.4.1.2.1, PS3.4 C.4.2.2.1, PS3.4 C.4.3.2.1 | a request without a unique key above its level
answer-not-asked | PS3.4 C.4.1.1.3.2 | a C-FIND response with an attribute that was not asked for
"""


def _read(line: str) -> Check:
    name, clauses, what = (part.strip() for part in line.split("|"))
    return Check(name, tuple(clauses.split(", ")), what)


CHECKS: Final = {check.name: check for check in map(_read, filter(None, _TABLE.splitlines()))}
"""All checks by name."""

_FORGIVEN: Final = frozenset(("closed-without-context", "uid-invalid"))
"""What usual clients do where there is nothing to say; what is found in command sets and data sets alike."""
PROTOCOL: Final = (
    frozenset(_read(line).name for section in _TABLE.split("\n\n")[:3] for line in section.split("\n") if line)
    - _FORGIVEN
)
"""The checks of how the two sides speak with one another: upper layer, association, messages; not of what data say."""
