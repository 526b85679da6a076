"""From records to pictures: plain values in, SVG out."""
