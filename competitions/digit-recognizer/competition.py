"""Digit Recognizer: which digit do 28 × 28 pixels show? MNIST's digits under Kaggle's own split."""

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
    # All 42,000 rows are validated. The notebooks' split by row, 33,600 / 8,400, is RowSplit(0.8) of
    # kpipe.problem.splitters.
    # Six folds keep two cores busy to the end, where the last of five would leave one idle; each net learns more rows.
    splitter=StratifiedKFold(6, shuffle=True, random_state=0),
    models={
        "convnet": model("convnet", shape=(28, 28, 1)),
        "convnet-large": model("convnet-large", shape=(28, 28, 1)),
        "linear": model("linear", scaler=pixel_scaler(), max_iter=50, tol=1e-3),
        "boosting": model("boosting", n_estimators=100, learning_rate=0.1, colsample_bytree=0.2),
    },
    default=("convnet",),
    budgeted=("convnet-large",),  # for whoever has a quarter of an hour
)
