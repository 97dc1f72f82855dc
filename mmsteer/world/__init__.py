"""The embedded emoji world: scenes drawn from known factors, with captions, and the small models trained on it.

It needs no network, no GPU and no licence, and its truth is known: for every pair, which factors are captioned, which
are drawn, and which are both. So "the label is right" becomes a number. Only this folder, its command and the studies
import it; everyone else reaches its pairs as the source `world:SEED` and its judge through `Spec.readout`.
"""
