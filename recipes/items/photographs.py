"""Photographs that ship inside scikit-image, scikit-learn and Debian's Lomiri wallpapers, made small.

Only those whose package states a licence: not, for example, scikit-image's moon and page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from PIL import Image

from analysis.items.manifest import Origin
from analysis.items.photographs import PHOTOGRAPHS_FOLDER
from recipes.items.packages import debian_file, debian_version, python_file, python_version
from recipes.items.writing import clear, write_manifest

SIDE: Final = 320
"""Most pixels in width and height."""
_QUALITY: Final = 85

Package = Literal["scikit-image", "scikit-learn", "lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04"]


@dataclass(frozen=True)
class Original:
    """A photograph as its package has it."""

    title: str
    package: Package
    file: str
    credit: str
    """Who made it, and where it was published before."""
    licence: str

    @property
    def id(self) -> str:
        """Its title with hyphens."""
        return self.title.lower().replace(" ", "-")

    def find(self) -> tuple[Path, str]:
        """Where it lies, and the package and version that it comes from.

        Raises:
            ValueError: the package is not installed.
        """
        match self.package:
            case "scikit-image":
                path = python_file(self.package, "skimage", f"data/{self.file}")
                return path, f"{self.package} {python_version(self.package)}"
            case "scikit-learn":
                path = python_file(self.package, "sklearn", f"datasets/images/{self.file}")
                return path, f"{self.package} {python_version(self.package)}"
            case _:
                path = debian_file(self.package, f"/usr/share/backgrounds/{self.file}")
                return path, f"Debian package {self.package} {debian_version(self.package)}"


_SKIMAGE: Final = "scikit-image"
_SKLEARN: Final = "scikit-learn"
_LOMIRI: Final = "lomiri-wallpapers-16.04"
_LOMIRI_20: Final = "lomiri-wallpapers-20.04"
_PUBLIC, _CC0 = "Public domain", "CC0-1.0"
_BY, _BY_SA = "CC-BY-4.0", "CC-BY-SA-4.0"
_AITZOL = "Aitzol Berasategi, 2018"

ORIGINALS: Final = (
    Original("Astronaut", _SKIMAGE, "astronaut.png", "Eileen Collins, NASA (https://flic.kr/p/r9qvLn)", _PUBLIC),
    Original("Cameraman", _SKIMAGE, "camera.png", "Lav Varshney", _CC0),
    Original("Cat", _SKIMAGE, "chelsea.png", "Stefan van der Walt", _CC0),
    Original("Cup of coffee", _SKIMAGE, "coffee.png", "Rachel Michetti, Pikolo Espresso Bar", _CC0),
    Original("Rocket", _SKIMAGE, "rocket.jpg", "SpaceX (Flickr, photo 16511594820)", _PUBLIC),
    Original("Galaxies", _SKIMAGE, "hubble_deep_field.jpg", "Hubble eXtreme Deep Field, NASA", _PUBLIC),
    Original(
        "Coins",
        _SKIMAGE,
        "coins.png",
        "Greek coins from Pompeii, Brooklyn Museum (archive image 51611)",
        "No known copyright restrictions",
    ),
    Original("Moving clock", _SKIMAGE, "clock_motion.png", "Stefan van der Walt", _PUBLIC),
    Original("Handwriting", _SKIMAGE, "text.png", "Wikipedia, File:Corner.png", _PUBLIC),
    Original("Brick wall", _SKIMAGE, "brick.png", "CC0Textures, Bricks25", _CC0),
    Original("Grass", _SKIMAGE, "grass.png", "linolafett, DeviantArt, Grass-01", _CC0),
    Original("Gravel", _SKIMAGE, "gravel.png", "CC0Textures, Gravel04", _CC0),
    Original("Retina", _SKIMAGE, "retina.jpg", "Mikael Häggström, doi:10.15347/wjm/2014.008", _CC0),
    Original(
        "Stained tissue",
        _SKIMAGE,
        "ihc.png",
        "Center for Microscopy And Molecular Imaging (CMMI)",
        "No known copyright restrictions",
    ),
    Original("Cell", _SKIMAGE, "cell.png", "a cell under a microscope, as scikit-image's skimage.data.cell", _CC0),
    Original(
        "Temple",
        _SKLEARN,
        "china.jpg",
        "danielbuechele, https://www.flickr.com/photos/danielbuechele/6061409035/",
        "CC-BY-2.0",
    ),
    Original(
        "Dahlia",
        _SKLEARN,
        "flower.jpg",
        "vultilion, https://www.flickr.com/photos/vultilion/6056698931/",
        "CC-BY-2.0",
    ),
    Original("Dogs", _LOMIRI, "friends_by_Aitzol_Berasategi.jpg", _AITZOL, _BY),
    Original("Brook", _LOMIRI, "life_by_Aitzol_Berasategi.jpg", _AITZOL, _BY),
    Original("Mountain path", _LOMIRI, "picosdeeuropa_by_Aitzol_Berasategi.jpg", _AITZOL, _BY),
    Original("Meadow and mountains", _LOMIRI, "aitzgorri_by_Aitzol_Berasategi.jpg", _AITZOL, _BY),
    Original("Sunset", _LOMIRI, "sunset_by_Aitzol_Berasategi.jpg", _AITZOL, _BY),
    Original("Dandelions", _LOMIRI, "seeding_by_Clements_Engelhardt.jpg", "Clemens Engelhardt, 2018", _CC0),
    Original("Fig in a bowl", _LOMIRI, "Picture_0B_by_freespace.jpg", 'Trevor "Freespace", 2018', _BY),
    Original("Paintbrushes", _LOMIRI, "Picture_1A_by_freespace.jpg", 'Trevor "Freespace", 2018', _BY),
    Original("Drum and wine", _LOMIRI, "Wine_by_Jakkub_Mede.jpg", "Jakub Mede, 2018", _BY),
    Original("Wall clock", _LOMIRI, "greentock_by_Peter_Nerlich.jpg", "Peter Nerlich, 2018", _BY_SA),
    Original("Flying parrot", _LOMIRI, "free_by_Peter_Nerlich.jpg", "Peter Nerlich, 2018", _BY_SA),
    Original("Bridge", _LOMIRI, "Bridge_by_Sander_Klootwijk.jpg", "Sander Klootwijk, 2018", _BY_SA),
    Original("Dragonfly", _LOMIRI, "Dragonfly_by_Bolly.jpg", '"Bolly", 2018', _BY_SA),
    Original("Nuthatch", _LOMIRI_20, "Kleiber_by_Lukas_Baubkus.jpg", "Lukas Baubkus, 2021", "CC-BY-SA-3.0"),
)


def make_photographs(folder: Path = PHOTOGRAPHS_FOLDER) -> None:
    """Write the set into `folder`.

    Raises:
        ValueError: a package that it is made from is missing.
    """
    found = {original: original.find() for original in ORIGINALS}
    clear(folder, [f"{original.id}.jpg" for original in ORIGINALS])
    origins, records = [], []
    for original, (path, package) in found.items():
        file = f"{original.id}.jpg"
        size = reduce_picture(path, folder / file)
        origins.append(
            Origin(
                file,
                f"{original.credit}; as {original.file} in {package}",
                original.licence,
                f"reduced to {size[0]} by {size[1]} pixels",
            )
        )
        records.append({"id": original.id, "title": original.title, "file": file})
    write_manifest(folder, origins, {"photographs": records})


def reduce_picture(source: Path, target: Path) -> tuple[int, int]:
    """Write a picture as a small JPEG without metadata; its (width, height)."""
    with Image.open(source) as opened:
        opened.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG of many megapixels need not be decoded in full
        picture = opened.convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    picture.save(target, quality=_QUALITY, optimize=True)
    return picture.size
