"""From what changed between a failure and the next success to a pair of the public vocabulary.

Refuses to guess: a change that fits no pair of the error's class stays a private word that never leaves.
"""

# (error class, what changed) to the fix of the public vocabulary. Several changes may mean one fix.
_FIXES: dict[tuple[str, str], str] = {
    ("syntax_error", "file_edited"): "add_missing_text",
    ("undefined_variable", "file_edited"): "qualify_name",
    ("missing_attribute", "file_edited"): "correct_name",
    ("missing_attribute", "option_changed"): "correct_name",
    ("missing_attribute", "lock_updated"): "update_input",
    ("missing_attribute", "channel_updated"): "update_input",
    ("option_not_found", "option_changed"): "correct_name",
    ("option_not_found", "file_edited"): "correct_name",
    ("option_not_found", "import_changed"): "add_import",
    ("option_type_error", "option_changed"): "correct_value",
    ("option_type_error", "file_edited"): "correct_value",
    ("option_conflict", "option_changed"): "set_priority",
    ("option_conflict", "lines_removed"): "remove_definition",
    ("file_not_tracked_by_git", "git_add"): "git_add",
    ("missing_file", "file_added"): "correct_path",
    ("missing_file", "lines_removed"): "remove_reference",
    ("missing_channel", "channel_updated"): "add_channel",
    ("missing_channel", "environment_changed"): "set_search_path",
    ("hash_mismatch", "hash_changed"): "replace_hash",
    ("hash_mismatch", "lock_updated"): "update_input",
    ("network_unreachable", "retried"): "retry",
    ("disk_full", "space_freed"): "collect_garbage",
    ("unfree_license", "package_allowed"): "allow_package",
    ("insecure_package", "package_allowed"): "allow_package",
    ("broken_package", "lock_updated"): "update_input",
    ("infinite_recursion", "file_edited"): "pass_arguments",
    ("version_mismatch", "lock_updated"): "match_releases",
    ("version_mismatch", "channel_updated"): "match_releases",
}


def fix_of(error_class: str, changed: str) -> str:
    """The public fix that ``changed`` amounts to for this class, else ``changed``, which stays here."""
    return _FIXES.get((error_class, changed), changed)
