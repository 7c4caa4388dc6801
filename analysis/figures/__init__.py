"""Drawing what the analyses find; `style`, `curves` and `layers` need matplotlib, the rest do not."""
