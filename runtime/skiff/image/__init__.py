"""Images: references, the content store, and archives; layers are unpacked by skiff.snapshot."""
