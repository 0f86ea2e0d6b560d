"""The move as runs of the hub: joins configuration, edges and crossdock.move, and keeps the evidence."""
