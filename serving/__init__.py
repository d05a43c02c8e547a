"""The separate serving component: it answers from one approved release and imports no TensorFlow."""
