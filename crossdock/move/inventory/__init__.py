"""What lives on servers, and around them in DNS and clouds: probes' answers become items and findings."""
