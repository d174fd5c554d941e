"""After training: a checkpoint as a recommender that takes items which were not there before.

It needs no data set. ``recommender.py`` is the interface; ``items.py`` keeps ids, ``search.py``
finds the best items (of many with ``screening.py`` and ``group_maxima.py``), ``warm_up.py`` fits
deltas of new ones, ``export.py`` writes ONNX, and ``explain.py`` and ``pictures.py`` show what
training made of an item.

Example:
    An item that came after training, here with the content of another one, is recommended at once;
    its first interactions give it a delta:

    >>> import recbole_delta
    >>> from dataset_prep.format.content import find_content, read_content
    >>> from recbole_delta.quick_start.example import example_data
    >>> result = recbole_delta.run("SASRecDelta", "example", settings=example_data())
    >>> recommender = recbole_delta.Recommender(result.checkpoint)
    >>> content = read_content(find_content("data/example", "example"))
    >>> recommender.add_items(["new"], content.align(["b3"]))
    >>> recommender.warm_up([["b1", "new"], ["b2", "new", "b3"]])
    {'new': 2}
    >>> recommender.remove_items(["b0"])
    >>> recommender.save("today.safetensors")
    >>> today = recbole_delta.Recommender("today.safetensors")
    >>> "new" in today.cold_items, "b0" in today.items
    (True, False)
"""

from recbole_delta.serving.explain import Explanation, Neighbour, Spaces
from recbole_delta.serving.recommender import Recommendation, Recommender

__all__ = ["Explanation", "Neighbour", "Recommendation", "Recommender", "Spaces"]
