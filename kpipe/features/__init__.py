"""scikit-learn transformers that are fitted inside each fold: what competitions and models share."""

from kpipe.features.encoders import (
    FillModes,
    NativeCategories,
    dummies,
    encoded,
    number_columns,
    over_255,
    standardised,
    text_columns,
    to_floats,
)

__all__ = [
    "FillModes",
    "NativeCategories",
    "dummies",
    "encoded",
    "number_columns",
    "over_255",
    "standardised",
    "text_columns",
    "to_floats",
]
