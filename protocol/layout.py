"""The block layout of a delta: which (error class, fix class) pair each pair of coordinates counts.

Refuses everything outside its closed list: what is not here has no coordinate and cannot leave a
machine. Classes with one obvious fix are left out, as ranking has nothing to learn there.
"""

from dataclasses import dataclass, field
from functools import cached_property

from luminous.crypto.digest import digest

LAYOUT_ID_SIZE_BYTES = 8

Pair = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """An ordered list of pairs. Coordinate 2j counts successes of pair j, 2j + 1 its failures."""

    pairs: tuple[Pair, ...] = field(default=())

    @cached_property
    def id(self) -> bytes:
        """8 bytes that two nodes compare instead of the list."""
        names = [name.encode() for pair in self.pairs for name in pair]
        return digest("layout", *names, size_bytes=LAYOUT_ID_SIZE_BYTES)

    @cached_property
    def index(self) -> dict[Pair, int]:
        """The position of each pair."""
        return {pair: position for position, pair in enumerate(self.pairs)}

    @property
    def dimension(self) -> int:
        """Two coordinates a pair."""
        return 2 * len(self.pairs)


# The first layout: 32 pairs, D = 64. Never edit in place: another list is another layout id.
FIXES_1 = Layout(
    (
        ("undefined_variable", "correct_name"),
        ("undefined_variable", "add_argument"),
        ("missing_attribute", "correct_name"),
        ("missing_attribute", "update_channel"),
        ("missing_attribute", "pin_older_channel"),
        ("file_not_tracked_by_git", "git_add"),
        ("missing_file", "git_add"),
        ("missing_file", "correct_path"),
        ("missing_channel", "add_channel"),
        ("missing_channel", "set_nix_path"),
        ("option_not_found", "correct_name"),
        ("option_not_found", "import_module"),
        ("option_not_found", "update_channel"),
        ("option_conflict", "force_value"),
        ("option_conflict", "remove_definition"),
        ("hash_mismatch", "update_hash"),
        ("hash_mismatch", "update_inputs"),
        ("network_unreachable", "retry"),
        ("network_unreachable", "restart_resolver"),
        ("tls_certificate", "set_clock"),
        ("tls_certificate", "set_certificate_file"),
        ("build_failed", "update_inputs"),
        ("build_failed", "read_build_log"),
        ("dependency_build_failed", "pin_older_channel"),
        ("dependency_build_failed", "disable_tests"),
        ("disk_full", "collect_garbage"),
        ("disk_full", "move_build_directory"),
        ("out_of_memory", "limit_jobs"),
        ("out_of_memory", "add_swap"),
        ("daemon_unreachable", "restart_nix_daemon"),
        ("infinite_recursion", "use_mk_if"),
        ("version_mismatch", "update_inputs"),
    )
)
