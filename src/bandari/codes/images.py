"""BND79x: container images and the environments that stand for them."""

from __future__ import annotations

from bandari.codes.code import Code

CODES = (
    Code(
        "BND790",
        "a Ray that is too old",
        "Images of Ray 2.8.0 and later are supported, as the guide for Ray clusters says. Older ones lack what a "
        "cluster here is made of: labels of nodes, the jobs interface of today, the second version of the "
        "autoscaler.",
        "FROM rayproject/ray:2.7.1-py310",
        "FROM rayproject/ray:2.60.0-py311",
    ),
    Code(
        "BND791",
        "no such Ray image was published",
        "Each release of Ray is published for some versions of Python and CUDA, and for no CUDA (CPU). The "
        "combination that the file names is not in the list that bandari ships, with its date; the finding names "
        "the nearest ones. Nightly builds are refused: they are others tomorrow. `latest` means the newest of the"
        " list, and the plan shows which that is.",
        "FROM rayproject/ray:2.60.0-py38-cu127",
        "FROM rayproject/ray:2.60.0-py311-cu128",
    ),
    Code(
        "BND792",
        "Ray's own image stands for another one",
        "Base images named `anyscale/ray...` can only be pulled with an account of that service. Their names tell"
        " the versions of Ray, Python and CUDA; Ray's own published image of the same versions is used in their "
        "place. What else they hold (agents of the service, libraries of ray-ml and ray-llm) is not there.",
        "FROM anyscale/ray:2.44.0-slim-py312-cu128",
        "FROM rayproject/ray:2.44.0-py312-cu128",
    ),
    Code(
        "BND793",
        "a Containerfile, or a file that it needs, cannot be read",
        "A Containerfile is read line by line: an instruction, what it works on, a backslash where it goes on in "
        "the next line. Something on this line is not of that form, or names a file that is not in the folder of "
        "the Containerfile. ARG needs a default: nothing is given to a build from outside.",
        "ARG VERSION\nRUN pip install torch==$VERSION",
        "ARG VERSION=2.9.0\nRUN pip install torch==$VERSION",
    ),
    Code(
        "BND794",
        "an instruction that is not taken, or has no effect",
        "Taken are FROM, ARG, ENV, WORKDIR, COPY, RUN and USER. What says how a container is to be started or "
        "described (CMD, ENTRYPOINT, EXPOSE, LABEL and the like) is a warning: a node runs Ray. ADD, ONBUILD, "
        "SHELL and words that are no instruction are errors.",
        "ADD https://example.org/model.bin /models/",
        "RUN curl -o /models/model.bin https://example.org/model.bin",
    ),
    Code(
        "BND795",
        "the base is no Ray image",
        "Head and workers need one and the same Ray; an image is built on one that has it: `rayproject/ray`, or "
        "one of Anyscale's base images. Through stages, too: the last stage must begin with one, or with a stage "
        "that does.",
        "FROM python:3.11-slim",
        "FROM rayproject/ray:2.60.0-py311",
    ),
    Code(
        "BND796",
        "a line of the image that this machine cannot have",
        "Here no container runs: a Python environment stands for the image, with its Ray, its Python, what `pip "
        "install` lines bring, ENV and COPY. Lines of an image are never run on this machine, so apt packages, "
        "other commands, users and CUDA are left out. Work that needs them fails here and works in the image.",
        "RUN apt-get update && apt-get install -y libgl1",
        "RUN pip install opencv-python-headless",
    ),
    Code(
        "BND797",
        "a Ray that does not run here",
        "On this machine nodes are processes of their own address and folder. The Rays between the oldest and the"
        " newest that were tried so are taken, the finding names them. `--ray-version X.Y.Z` runs the cluster "
        "with another Ray than its image has; the file stays as it is.",
        "bandari up -f compute.yaml --target local            # image: rayproject/ray:2.9.0-py311",
        "bandari up -f compute.yaml --target local --ray-version 2.60.0",
    ),
    Code(
        "BND798",
        "a Python that is not on this machine",
        "An environment has the Python of its image, as jobs and nodes must have the same. Pythons are looked for"
        " where uv finds them; none is downloaded without being asked for.",
        "FROM rayproject/ray:2.60.0-py314     # this machine has Python 3.11",
        "uv python install 3.14",
    ),
    Code(
        "BND799",
        "an image that does not tell its Ray",
        "The name of an image of your own says nothing about its Ray and Python, and no image is pulled to run "
        "here. `ray_version` says it; without it the Ray of bandari's own environment is used.",
        "image_uri: example.org/team/train:7",
        "image_uri: example.org/team/train:7\nray_version: 2.60.0",
    ),
)
