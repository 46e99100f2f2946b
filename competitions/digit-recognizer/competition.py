"""Digit Recognizer: classify images of 28 × 28 pixels. The digits are those of MNIST, in Kaggle's own split."""

from sklearn.model_selection import StratifiedKFold

from kpipe import Competition, model
from kpipe.features import pixel_scaler

competition = Competition(
    slug="digit-recognizer",
    id="ImageId",
    target="label",
    task="classification",
    metric="accuracy",
    columns=tuple(f"pixel{number}" for number in range(784)),
    # All 42,000 rows are validated; kpipe.problem.splitters.RowSplit(0.8) is the notebooks' split, 33,600 / 8,400.
    # Six folds keep two cores busy until the end (the last of five would leave one idle), and have more training rows.
    splitter=StratifiedKFold(6, shuffle=True, random_state=0),
    models={
        "convnet": model("convnet", shape=(28, 28, 1)),
        "convnet-large": model("convnet-large", shape=(28, 28, 1)),
        "linear": model("linear", scaler=pixel_scaler(), max_iter=50, tol=1e-3),
        "boosting": model("boosting", n_estimators=100, learning_rate=0.1, colsample_bytree=0.2),
    },
    default=("convnet",),
    budgeted=("convnet-large",),  # with --budget 15m
)
