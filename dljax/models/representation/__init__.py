"""Networks whose use is their representation: contrastive and masked."""
