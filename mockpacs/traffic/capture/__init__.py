"""Reading capture files, our own and those of tcpdump and Wireshark: from blocks to the byte streams of connections."""
