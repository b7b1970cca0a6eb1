"""Names of places on earth, offline: towns, regions and countries of GeoNames."""
