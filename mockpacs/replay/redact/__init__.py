"""A recording without what it says of patients, people and places: the same conversation, other names."""
