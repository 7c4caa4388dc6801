"""Drawing what the analyses find; only what draws curves needs matplotlib."""
