"""What WordPress and WooCommerce data mean. Pure: no I/O, no Django."""
