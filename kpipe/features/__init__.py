"""scikit-learn transformers that are fitted inside each fold, for competitions and models."""

from kpipe.features.columns import as_text, numeric_columns, text_columns, to_floats
from kpipe.features.encoders import NativeCategories, dummies
from kpipe.features.imputation import ModeImputer
from kpipe.features.scalers import pixel_scaler, soft_clip, soft_clip_scaler

__all__ = [
    "ModeImputer",
    "NativeCategories",
    "as_text",
    "dummies",
    "numeric_columns",
    "pixel_scaler",
    "soft_clip",
    "soft_clip_scaler",
    "text_columns",
    "to_floats",
]
