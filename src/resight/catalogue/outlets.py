"""What comes out of a catalogue: proposed groups, files, who was seen when. `Catalogue` has it all.

What each needs is imported when it is asked for, so that a short answer comes at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from resight.catalogue.store import Store

if TYPE_CHECKING:
    from resight.catalogue.confirm import Confirmed
    from resight.catalogue.export import Exported, Format
    from resight.catalogue.group import Grouping
    from resight.catalogue.population import Sightings
    from resight.catalogue.proposals import Proposal
    from resight.fingerprint.model import Card


class Outlets:
    """What a catalogue gives out; see `Catalogue`."""

    _store: Store
    model_id: str
    card: Card

    def group(
        self,
        *,
        threshold: float | None = None,
        include_named: bool = True,
        smallest: int = 2,
        progress: Callable[[str, float | None], None] | None = None,
    ) -> Grouping:
        """Propose individuals for the photos without a name. Nothing is written.

        Args:
            threshold: mean cosine distance up to which photos are put together, in [0, 2]; default
                chosen by the photos with names, see `resight.catalogue.group.choose_threshold`.
            include_named: whether photos may be proposed to show an individual of the catalogue.
            smallest: how many photos make a new individual; fewer are loners, and wait.
            progress: is told what is being done, and how far that is, from 0 to 1.

        Raises:
            ResightError: a threshold or a size that cannot be one, or no photo waits for a name.
            UnusableCatalogue: a fingerprint that is damaged.
        """
        from resight.catalogue.group import propose

        return propose(
            self._store,
            self.model_id,
            self.card.dim,
            threshold=threshold,
            include_named=include_named,
            smallest=smallest,
            progress=progress,
        )

    def confirm_groups(
        self,
        proposed: Grouping | Iterable[Proposal],
        *,
        only: Iterable[int] | None = None,
        who: str | None = None,
    ) -> Confirmed:
        """Name photos as `group` proposed, or as a person changed it; `undo` takes it back.

        Args:
            proposed: from `group`, or from `resight.catalogue.proposals.read_proposals`.
            only: the numbers of the groups to confirm; default all.
            who: says so.

        Raises:
            ResightError: see `resight.catalogue.confirm.confirm`; nothing was named then.
        """
        from resight.catalogue.confirm import confirm
        from resight.catalogue.group import Grouping
        from resight.catalogue.proposals import proposals_of

        wanted = proposals_of(proposed) if isinstance(proposed, Grouping) else proposed
        return confirm(self._store, wanted, only=only, who=who)

    def export(
        self,
        out: str | os.PathLike[str],
        *,
        form: Format = "csv",
        vectors: bool | None = None,
    ) -> Exported:
        """Write all tables into a new folder, CSV or Parquet; all of them, or nothing.

        Args:
            out: the folder; it must not exist, or be empty.
            form: "csv" or "parquet".
            vectors: whether fingerprints are written too; default in Parquet, and not in CSV.

        Raises:
            ResightError: another format, or a folder that is there or cannot be made.
        """
        from resight.catalogue.export import export

        return export(self._store, out, form=form, vectors=vectors)

    def sightings(self, *, side: str | None = None) -> Sightings:
        """Who was seen on which day; goes on in `resight.catalogue.population`.

        Raises:
            ResightError: no photo (of this side) has both a name and a date.
        """
        from resight.catalogue.population import sightings

        return sightings(self._store, side=side)
