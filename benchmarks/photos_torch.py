"""torchvision's side of feeding.py's photos; it is started with torch's own Python.

    TORCH_PYTHON benchmarks/photos_torch.py FOLDER

The usual ImageFolder, RandomResizedCrop(224), flip, ToTensor and Normalize, in batches of 64 of one
DataLoader without processes of its own.
"""

import argparse
from pathlib import Path

import torch
import torchvision
from torchvision import transforms
from worker import serve

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    data = torchvision.datasets.ImageFolder(folder / "files", transform)

    def run(batches: int) -> None:
        done = 0
        while done < batches:
            for image, _ in torch.utils.data.DataLoader(data, BATCH, shuffle=True, drop_last=True):
                assert image.shape == (BATCH, 3, 224, 224)
                done += 1
                if done == batches:
                    break

    serve(run, 0, f"torchvision {torchvision.__version__}")


if __name__ == "__main__":
    main()
