"""The block layout of a delta: which (error class, fix class) pair each pair of coordinates counts.

Refuses everything outside its closed list: what is not here has no coordinate and cannot leave a
machine.
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


# The first layout: 32 pairs, D = 64. The catalogue's fixes name their pair by position. Never edit in
# place: another list is another layout id.
FIXES_1 = Layout(
    (
        ("syntax_error", "add_missing_text"),
        ("undefined_variable", "qualify_name"),
        ("undefined_variable", "add_argument"),
        ("missing_attribute", "correct_name"),
        ("missing_attribute", "update_input"),
        ("option_not_found", "correct_name"),
        ("option_not_found", "add_import"),
        ("option_type_error", "correct_value"),
        ("option_conflict", "set_priority"),
        ("option_conflict", "remove_definition"),
        ("file_not_tracked_by_git", "git_add"),
        ("missing_file", "correct_path"),
        ("missing_file", "remove_reference"),
        ("missing_channel", "add_channel"),
        ("missing_channel", "set_search_path"),
        ("hash_mismatch", "replace_hash"),
        ("hash_mismatch", "update_input"),
        ("network_unreachable", "retry"),
        ("network_unreachable", "restore_network"),
        ("disk_full", "collect_garbage"),
        ("disk_full", "limit_boot_entries"),
        ("out_of_memory", "reduce_parallelism"),
        ("out_of_memory", "add_swap"),
        ("unfree_license", "allow_package"),
        ("insecure_package", "allow_package"),
        ("broken_package", "update_input"),
        ("experimental_feature_disabled", "enable_feature"),
        ("file_in_the_way", "move_file"),
        ("file_collision", "set_priority"),
        ("infinite_recursion", "pass_arguments"),
        ("dependency_build_failed", "read_log"),
        ("version_mismatch", "match_releases"),
    )
)
