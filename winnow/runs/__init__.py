"""What a run leaves on a disk or in a store: files that appear whole, the record of what is done, its folder."""
