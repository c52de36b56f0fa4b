"""A recorded client, played again against a server: each association is negotiated anew, each message follows the
messages it followed in the recording.
"""
