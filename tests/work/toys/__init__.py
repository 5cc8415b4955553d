"""Programs that the tests of the launcher run: clusters without Django, and a launcher of them."""
