"""The letters: frozen, one file per conversation, unique names, MessagePack on disk and on the wire.

Commands are imperative (``SubmitOrder``), events are past tense (``OrderRefused``).
"""
