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
        ("syntax_error", "close_bracket"),
        ("undefined_variable", "correct_name"),
        ("undefined_variable", "add_argument"),
        ("missing_attribute", "correct_name"),
        ("missing_attribute", "update_channel"),
        ("option_not_found", "correct_name"),
        ("option_not_found", "import_module"),
        ("option_type_error", "correct_value"),
        ("option_conflict", "force_value"),
        ("option_conflict", "remove_definition"),
        ("file_not_tracked_by_git", "git_add"),
        ("missing_file", "restore_file"),
        ("missing_file", "remove_reference"),
        ("missing_channel", "add_channel"),
        ("missing_channel", "set_search_path"),
        ("hash_mismatch", "replace_hash"),
        ("hash_mismatch", "update_source"),
        ("network_unreachable", "retry"),
        ("network_unreachable", "restore_network"),
        ("disk_full", "free_space"),
        ("disk_full", "limit_generations"),
        ("out_of_memory", "limit_jobs"),
        ("out_of_memory", "add_swap"),
        ("unfree_license", "allow_package"),
        ("insecure_package", "permit_package"),
        ("insecure_package", "update_package"),
        ("experimental_feature_disabled", "enable_feature"),
        ("file_in_the_way", "move_aside"),
        ("file_collision", "hide_one"),
        ("infinite_recursion", "pass_argument"),
        ("build_failed", "read_log"),
        ("version_mismatch", "match_releases"),
    )
)
