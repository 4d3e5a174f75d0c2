"""What a device profile says: the runtime that serves a device, and what an engine for it must keep to."""

from dataclasses import dataclass, field

from edge_aver.errors import TargetError

__all__ = ["DeviceProfile"]


@dataclass(frozen=True, kw_only=True)
class DeviceProfile:
    """A target: a device and the runtime that serves it (`targets/devices/*.toml`).

    Attributes:
        name: what `--target` takes.
        title: one line for people.
        runtime: key of `RUNTIMES`.
        precisions: recipes that can be lowered for it.
        refuses: precision to the reason why the device does not take it, in plain words.
        memory_budget_mb: what a process with the network may hold, of 10^6 bytes; None where memory is not scarce.
        model_budget_mb: what a model's files may take, of 10^6 bytes; None where nothing limits them.
        compute_capabilities: of the GPUs that one engine must run on (`8.9`); empty where there are none.
        workspace_mb: scratch memory that a builder may plan with, of 10^6 bytes; None leaves it to the library.
        max_batch: clips that an engine with fixed limits takes at once; one is what it is made fast for.
        library_versions: of the runtime's library that build for the device (`>=1.7.1,<1.8`); None for any.
        built_on: system and processor (`linux-aarch64`) of a device that builds its own engines, from a kit; None for
            one whose engines are built anywhere.
        notes: what the person who builds from a kit should know.
    """

    name: str
    title: str
    runtime: str
    precisions: tuple[str, ...]
    refuses: dict[str, str] = field(default_factory=dict)
    memory_budget_mb: float | None = None
    model_budget_mb: float | None = None
    compute_capabilities: tuple[str, ...] = ()
    workspace_mb: float | None = None
    max_batch: int = 4
    library_versions: str | None = None
    built_on: str | None = None
    notes: tuple[str, ...] = ()

    def check_precision(self, *names: str) -> None:
        """Refuse a recipe that cannot be lowered for the device.

        Args:
            names: of the recipe, and of the precision that it is a variant of: one that is taken is enough.

        Raises:
            TargetError: none is taken; why, where the profile says it, and what to ask for instead.
        """
        if any(name in self.precisions for name in names):
            return
        reason = next((f": {self.refuses[name]}" for name in names if name in self.refuses), "")
        raise TargetError(
            f"target {self.name} does not take {names[0]}{reason}; ask for --precision {' or '.join(self.precisions)}"
        )
