"""File formats that others have written: parsed and written streaming, without I/O of their own."""
