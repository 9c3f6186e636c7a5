"""``undertone bench``: many live streams of real speech over real sockets, and how well a server carries them.

``load`` is what is said, ``wire`` how it is sent, ``generator`` the process that sends it and hears the answers,
``ledger`` what one stream sent and got, ``trial`` one number of streams, ``search`` the largest that passes.
"""
