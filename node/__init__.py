"""One peer: a pure machine (``core``), its ports and driver, and its body (``shell``)."""
