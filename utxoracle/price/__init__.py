"""Facts to price: the histogram, the stencils, the central price. No I/O, no clock."""
