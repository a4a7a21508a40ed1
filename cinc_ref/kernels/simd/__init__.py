"""Register blocks, the processor, and memory."""
