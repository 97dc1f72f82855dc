"""What a visitor of a Space on ZeroGPU should know of the GPU that is lent for their pictures."""
