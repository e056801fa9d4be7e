"""Turns published checkpoints into model directories: encoders and the region part under the reference's names."""
