"""Which edits could end a failure of which class.

Refuses classes whose cure is not an edit of the user's own file.
"""

from collections.abc import Iterator, Mapping

from luminous.node.core.causes import edit_names, edit_options, edit_syntax, edit_values
from luminous.node.core.causes.diff import Edit
from luminous.node.core.causes.names import suggested
from luminous.node.core.causes.state import MachineState
from luminous.node.core.causes.text import FailureText
from luminous.node.core.causes.user_files import UserFiles
from luminous.node.core.causes.where import Place, find_files


def propose(
    fix_id: str,
    class_id: str,
    facts: Mapping[str, str],
    place: Place | None,
    failure: FailureText,
    files: UserFiles,
    state: MachineState,
) -> Iterator[Edit]:
    """Edits for the fix ``fix_id`` of ``class_id``, most plausible first; unchecked."""
    if not files.texts:
        return iter(())
    names = suggested(failure.said)
    match class_id:
        case "syntax_error":
            return edit_syntax.syntax(fix_id, facts, place, files)
        case "undefined_variable":
            return edit_names.undefined_variable(fix_id, facts, place, files)
        case "missing_attribute":
            return edit_names.attribute(facts, place, files, names)
        case "user_throw":
            return edit_names.renamed(facts, files)
        case "option_not_found":
            remove = fix_id.endswith(".remove")
            return (
                edit_options.option_removed(facts, files)
                if remove
                else edit_options.option_name(facts, files, names)
            )
        case "option_type_error":
            return edit_options.option_value(facts, files)
        case "option_conflict":
            return edit_options.option_forced(facts, files, find_files(failure))
        case "hash_mismatch":
            return edit_values.hash_replaced(facts, files)
        case "bad_hash":
            return edit_values.hash_faked(facts, files)
        case "type_error":
            return edit_values.string_conversion(fix_id, facts, place, files)
        case "missing_file":
            return edit_values.missing_path(fix_id, facts, files, state.listing)
        case "attr_already_defined":
            return edit_names.duplicate_removed(facts, place, files)
        case "unexpected_argument":
            return edit_names.arguments_opened(place, files)
        case "restricted_eval":
            return edit_values.current_system(files, state.system)
        case "builder_not_found":
            return edit_values.builder_replaced(facts, files)
        case "invalid_derivation":
            return edit_values.name_cleaned(facts, files)
        case "not_absolute_path":
            return edit_values.path_unquoted(facts, place, files)
        case "bad_json_toml":
            return edit_values.json_comma(files)
        case "unfree_license":
            return edit_options.config_allowed(class_id, facts.get("package_name", ""), files)
        case "insecure_package":
            return edit_options.config_allowed(class_id, facts.get("package", ""), files)
        case _:
            return iter(())
