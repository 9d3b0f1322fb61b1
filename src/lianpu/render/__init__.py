"""Camera, mesh rasteriser, shading: pure geometry, nothing learned."""
