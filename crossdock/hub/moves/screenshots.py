"""Takes the pictures of an environment's key pages, source beside target, and keeps them with the state."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crossdock.core.config import Config
from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Json, canonical
from crossdock.core.ports import Journal, Progress
from crossdock.edges import pictures as files
from crossdock.edges.browser import Camera, Reach, Shot
from crossdock.edges.whole_file import write_whole
from crossdock.hub.moves import bridge_secrets
from crossdock.move import pictures
from crossdock.move.order import Order
from crossdock.move.screenshots import SIDES, Picture, Seen, View, figures, findings, key_views
from crossdock.move.site_facts import ask_site
from crossdock.move.validate import placed_people

INDEX = "index.json"
# The bridge says on each page of staging what it is: no part of the store.
_BANNER = "#crossdock-staging"


@dataclass
class Album:
    """What was taken: each view, the findings, and the folder of the pictures."""

    folder: Path
    seen: list[Seen] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def green(self) -> bool:
        return not any(one.failed for one in self.seen)

    def figures(self) -> dict[str, int]:
        return figures(self.seen, self.findings)


def folder(config: Config, environment: str) -> Path:
    """Where an environment's pictures are."""
    return config.state / "screenshots" / environment


def take(config: Config, order: Order, journal: Journal, progress: Progress, most_pages: int = 0) -> Album:
    """Takes and compares them all; stopped or killed, the next one goes on. `most_pages` of each store, 0: as
    configured.

    Errors: BlockedError without a whole copy of the plan; CrossdockError without a browser, or when the disk is full.
    """
    placed_people(order)
    settings = config.policies.screenshots
    views = key_views(ask_site(order, ()), most_pages or settings.pages)
    index = _Index(folder(config, order.environment), order.plan.digest, views, settings.model_dump_json())
    with _Studio(config, order, index.moment) as studio:
        for seen in studio.take([one for one in views if one.key not in index.seen], progress):
            index.keep(*seen)
        versions = studio.versions
    album = Album(index.folder, [index.seen[one.key] for one in views])
    album.findings = list(findings(album.seen, settings.differ_percent))
    for one in album.findings:
        journal.finding(one, step=f"screenshots {order.environment}")
    data: Json = {"plan": order.plan.digest, **album.figures(), "differ_percent": settings.differ_percent}
    data |= {"browser": versions or index.browser, "pages": [one.as_json() for one in album.seen]}
    journal.receipt("screenshots", order.environment, data)
    index.close(versions)
    return album


class _Index:
    """index.json: what has been taken under this plan and these settings, until all of it is."""

    def __init__(self, place: Path, plan: str, views: Sequence[View], settings: str) -> None:
        self.folder, self._path = place, place / INDEX
        wanted = {"views": [one.key for one in views], "settings": settings}
        head = {"plan": plan, "wanted": hashlib.sha256(canonical(wanted)).hexdigest()}
        kept = _read(self._path)
        if not kept or kept.get("complete") or {name: kept.get(name) for name in head} != head:
            shutil.rmtree(place, ignore_errors=True)
            kept = {**head, "moment": datetime.now(UTC).isoformat(timespec="seconds"), "browser": "", "views": {}}
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept = kept
        self.seen: dict[str, Seen] = {}
        for key, one in kept["views"].items():
            seen = Seen.of(one)
            if seen.is_whole and all(_is_there(place, picture) for picture in seen.pictures.values()):
                self.seen[key] = seen

    @property
    def moment(self) -> datetime:
        """What all pages take for now, also those of a run that goes on."""
        return datetime.fromisoformat(str(self._kept["moment"]))

    @property
    def browser(self) -> str:
        return str(self._kept["browser"])

    def keep(self, view: View, seen: Seen, pngs: Mapping[str, bytes], shapes: Mapping[str, tuple[int, int]]) -> None:
        """Writes a view's pictures, and then that it is done."""
        made = {}
        for side, png in pngs.items():
            name = f"{view.key}-{side}.png"
            write_whole(self.folder / name, png)
            height, width = shapes[side]
            made[side] = Picture(name, hashlib.sha256(png).hexdigest(), width, height)
        self.seen[view.key] = replace(seen, pictures=made)
        self._save()

    def close(self, browser: str) -> None:
        """Everything is there: the next time all is taken anew."""
        self._kept["complete"] = True
        self._kept["browser"] = browser or self.browser
        self._save()

    def _save(self) -> None:
        self._kept["views"] = {key: one.as_json() for key, one in self.seen.items()}
        write_whole(self._path, json.dumps(self._kept, indent=1, ensure_ascii=False) + "\n")


Taken = tuple[View, Seen, dict[str, bytes], dict[str, tuple[int, int]]]


class _Studio:
    """A camera for each side: they draw the next page while the last one is compared."""

    def __init__(self, config: Config, order: Order, moment: datetime) -> None:
        settings = config.policies.screenshots
        reaches = {"source": _sources(config, order), "target": _target(config, order)}
        self._cameras = {
            side: Camera(
                reaches[side], moment, settle_seconds=settings.settle_seconds, most_height=settings.most_height,
                hidden=_BANNER,
            )
            for side in SIDES
        }  # fmt: skip
        self._name, self._stack = order.environment, ExitStack()

    def __enter__(self) -> _Studio:
        for camera in self._cameras.values():
            self._stack.enter_context(camera)
        return self

    def __exit__(self, *told: object) -> None:
        self._stack.close()

    @property
    def versions(self) -> str:
        """Chromium's version; empty where nothing had to be taken."""
        return next((f"Chromium {one.version}" for one in self._cameras.values() if one.version), "")

    def take(self, views: Sequence[View], progress: Progress) -> Iterator[Taken]:
        progress.start(f"screenshots {self._name}", rows=len(views), bytes_=0, noun="pages")
        waiting = [(view, self._asked(view)) for view in views[:1]]
        try:
            for position, view in enumerate(views):
                if position + 1 < len(views):
                    waiting.append((views[position + 1], self._asked(views[position + 1])))
                _, shots = waiting.pop(0)
                taken = _compared(view, {side: _results(some) for side, some in shots.items()})
                yield taken
                progress.advance(view.key, rows=1, bytes_=sum(map(len, taken[2].values())))
        finally:
            for _, shots in waiting:
                for some in shots.values():
                    for one in some:
                        one.cancel()
            progress.finish()

    def _asked(self, view: View) -> dict[str, list[Future[Shot]]]:
        # Twice, each time from the beginning: what differs from itself is nobody's fault.
        return {side: [one.take(view.url(side), view.width) for _ in range(2)] for side, one in self._cameras.items()}


def _results(asked: Sequence[Future[Shot]]) -> list[Shot] | str:
    """Both pictures of one side, or why there are none."""
    try:
        return [one.result() for one in asked]
    except CrossdockError as error:
        return error.what


def _compared(view: View, shots: Mapping[str, list[Shot] | str]) -> Taken:
    taken = {side: some for side, some in shots.items() if not isinstance(some, str)}
    failed = {side: some for side, some in shots.items() if isinstance(some, str)}
    last = {side: some[-1] for side, some in taken.items()}
    seen = Seen(
        view.store, view.page, view.width, view.source_url, view.target_url,
        heights={side: one.height for side, one in last.items()},
        statuses={side: one.status for side, one in last.items()},
        broken={side: one.broken for side, one in last.items()},
        blocked={host: count for one in last.values() for host, count in one.blocked.items()},
        unsettled={side: why for side, some in taken.items() if (why := some[0].unsettled or some[1].unsettled)},
        failed=failed,
    )  # fmt: skip
    pngs = {side: one.png for side, one in last.items()}
    arrays = {side: [files.pixels(one.png) for one in some] for side, some in taken.items()}
    shapes = {side: (some[1].shape[0], some[1].shape[1]) for side, some in arrays.items()}
    if failed:
        return view, seen, pngs, shapes
    source, target = arrays["source"], arrays["target"]
    masked = pictures.united(pictures.unsteady(*source), pictures.unsteady(*target))
    found = pictures.compare(source[1], target[1], masked)
    difference = pictures.marked(target[1], found)
    pngs["difference"], shapes["difference"] = files.png(difference), (difference.shape[0], difference.shape[1])
    seen = replace(
        seen,
        different_percent=round(100 * found.share, 3),
        masked_percent=round(100 * found.masked_share, 3),
    )
    return view, seen, pngs, shapes


def _sources(config: Config, order: Order) -> Reach:
    hosts: dict[str, str | None] = {}
    for site in order.plan.sites(order.environment):
        address = config.server(site.server).http
        hosts |= {urlsplit(url).netloc: address for store in site.stores for url in store.source_urls}
    return Reach(hosts)


def _target(config: Config, order: Order) -> Reach:
    address = config.environments[order.environment].http
    urls = [store.target_url for site in order.plan.sites(order.environment) for store in site.stores]
    # Pages of the network's first site too: that is where a multisite's own files may be asked from.
    hosts = {urlsplit(url).netloc: address for url in urls}
    hosts[order.target.installation.domain_current_site] = address
    login = None
    if (bridge_secrets.folder(config, order.environment) / "key").exists():
        user = config.environments[order.environment].bridge.login_user
        login = (user, bridge_secrets.login_password(config, order.environment))
    return Reach(hosts, login)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def _is_there(place: Path, picture: Picture) -> bool:
    try:
        return hashlib.sha256((place / picture.file).read_bytes()).hexdigest() == picture.sha256
    except OSError:
        return False
