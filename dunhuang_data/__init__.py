"""Training sets from large mural pictures: patches, holes, shards. No torch anywhere below."""

__version__ = "0.1.0"
