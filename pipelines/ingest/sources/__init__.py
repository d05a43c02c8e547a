"""Where shop data can come from, one module for each kind of source."""
