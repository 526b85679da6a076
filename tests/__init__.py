"""All tests; a package and not a bare folder, or an installed package of this name (Ciw brings one) would hide it."""
