"""Drawing what the analyses find.

Every function of the second list returns a `Plate`: a matplotlib `Figure` that carries `statement` (what it was made
from), `alt` (a sentence with the main number), `misleads` (how it can mislead), `arrays` and `table` (the data). Such
a function takes `statement=Statement(model=..., role=..., items=..., seed=...)` and adds n, p, estimator and limits.
They import matplotlib; `statement`, `palette`, `overlay` and `relevance` do not.

* `statement.Statement`, `.pairs()`, `.caption()`; `Phrase.said(translate)`; `MISLEADS`, `ALTERNATIVES`: templates
* `files.save_figure(figure, "svg" | "pdf" | "png")`, `to_csv(columns)`, `to_npz(arrays, statement)`, `data_of(plate)`

* `comparison.layer_matrix(comparison, null=, names=)`: every layer against every other, its null beside it
* `comparison.layer_curves(comparisons, nulls=)`: the diagonals of several measures
* `geometry.layer_geometry(measures)`: effective rank, participation ratio, anisotropy, ... by layer
* `geometry.spectrum(variances, decays)`: variances by rank with the fitted exponent
* `geometry.probes(accuracies, test_items=, chance=, raw=)`: neighbours and linear probes by layer
* `attention.attention_grid(layers, scale_by=, difference=, kinds=)`: all heads of all layers in small
* `attention.attention_matrix(weights, queries, keys, query=, difference=)`: one head in large
* `attention.head_measures(measures, uniform=, kinds=)`: what every head does, by layer
* `places.attention_on_photo(photo, weights, query=)`: a query's attention over patches, most of the mass outlined
* `places.attention_on_spectrogram(spectrogram, weights, seconds=, query=, path=)`: over frames, the CTC path on top
* `places.masked_waveform(samples, rate, is_masked)`, `masked_tokens(tokens, is_masked, shown=)`,
  `masked_patches(photo, is_masked)`: the student's input with its mask
* `stage.target_tiles(target, depth, grid=, predictions=, is_masked=)`: the top K layers, their average, the prediction
* `stage.masked_errors(errors, is_masked, grid=)`: error, cosine and rank at each masked position
* `maps.layouts(found, titles, labels, chosen=)`: small maps of the same items
* `replay.training(recordings, moment=)`: recorded runs beside one another
* `replay.training_maps(recordings, moments)`: their points moving, a scale a run

* `curves.learning_curves(log, knn)`, `layers.by_layer(panels)`: plain figures of a training's log and of models' health
* `overlay`, `relevance`: pictures drawn over photos with Pillow alone
"""
