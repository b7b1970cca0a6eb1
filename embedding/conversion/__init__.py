"""Model folders made out of other projects' models, without PyTorch."""
