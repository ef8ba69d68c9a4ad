"""Shell hooks: after a failed Nix command, one line that says how to have it explained.

Opt-in (`eval "$(luminous-node hook bash)"`), pure shell: no process for a command that succeeded or is none
of ours. Refuses to record a command's words, to run anything by itself, and to skip in silence: what looks
like a secret is skipped with a note. A leading space, a `.luminous-ignore` file and LUMINOUS_HOOK_OFF are the
person's own wish and skip without one.

The hook's file in the spool holds a command class, an exit code and the time; nothing else.
"""

from luminous.node.shell.command_class import COMMAND_CLASSES

SHELLS = ("bash", "zsh", "fish")
# What the hook leaves at most when no daemon takes it. Stops an unread spool from growing.
SPOOL_FILES_MAX = 200
_CLASSES = sorted(COMMAND_CLASSES - {"other", "systemctl", "deploy"})
# Ended by a person, or stopped: no failure.
_WANTED = (130, 131, 141, 143, 146, 147, 148, 149, 150)
_SECRETS = (
    "*[Pp]assword*",
    "*PASSWORD*",
    "*[Ss]ecret*",
    "*SECRET*",
    "*[Tt]oken*",
    "*TOKEN*",
    "*ghp_*",
    "*github_pat_*",
    "*glpat-*",
    "*AKIA*",
    "*://*:*@*",
)
_SKIPPED = "luminous-node: not noted: the command looks like it holds a secret."
_HINT = "luminous-node: %s failed (%s). To know why, put this before it: luminous-node exec --"
_FIELDS = (
    '"boot_id":"%s"',
    '"command_class":"%s"',
    '"exit_code":%d',
    '"kind":"failure"',
    '"mono_ms":%d',
    '"schema":1',
    '"source":"hook"',
    '"wall_ms":%d',
)
_RECORD = "{" + ",".join(_FIELDS) + "}"

# What bash and zsh share. `$1` is the exit code, `$2` the command line as typed.
_POSIX = r"""__luminous_class() {
  __luminous_found=
  local rest=$1 word skip=
  while :; do
    while [[ $rest == [[:space:]]* ]]; do rest=${rest#?}; done
    word=${rest%%[[:space:]]*}
    if [[ -n $skip ]]; then skip=; else case ${word##*/} in
      -u|-g|--user|--group) skip=1 ;;
      sudo|doas|time|nice|env|command|exec|-*|[A-Za-z_]*=*) ;;
      @CLASSES@) __luminous_found=${word##*/}; return 0 ;;
      *) return 0 ;;
    esac; fi
    [[ $rest == *[[:space:]]* ]] || return 0
    rest=${rest#"$word"}
  done
}
__luminous_ignored() {
  local folder=$PWD
  while [[ -n $folder ]]; do
    [[ -e $folder/.luminous-ignore ]] && return 0
    folder=${folder%/*}
  done
  [[ -e /.luminous-ignore ]]
}
__luminous_after() {
  case $1 in @WANTED@) return 0 ;; esac
  [[ -n ${LUMINOUS_HOOK_OFF-} || $2 == [[:space:]]* ]] && return 0
  __luminous_class "$2"
  [[ -n $__luminous_found ]] || return 0
  __luminous_ignored && return 0
  case $2 in
    @SECRETS@) printf '@SKIPPED@\n' >&2; return 0 ;;
  esac
  __luminous_note "$__luminous_found" "$1"
  printf '@HINT@\n' "$__luminous_found" "$1" >&2
}
__luminous_note() {
  local folder=${LUMINOUS_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/luminous-node}/spool
  [[ -d $folder && -O $folder && ! -L $folder ]] || return 0
  local -a noted
  local now=${EPOCHREALTIME-} mono boot name
  noted=("$folder"/*.json@NONE@)
  [[ -n $now ]] && (( ${#noted[@]} < @FILES@ )) || return 0
  now=${now/[.,]/}
  now=${now:0:13}
  read -r mono boot < /proc/uptime || return 0
  mono=${mono/./}0
  read -r boot < /proc/sys/kernel/random/boot_id || return 0
  name=0${now}000000-$$-$RANDOM.json
  (
    umask 077
    set -C
    printf '@RECORD@' "$boot" "$1" "$2" "$mono" "$now" > "$folder/$name"
  ) 2>/dev/null
  return 0
}
"""

_BASH = r"""# luminous-node hook for bash. To remove it now: eval "$(luminous-node hook --uninstall bash)"
if [[ $- == *i* && -z ${__luminous_on-} && ( ${BASH_VERSINFO[0]} -ge 5 || $BASH_VERSION == 4.4* ) ]]; then
__luminous_on=1
__luminous_entry='^ *[0-9]+[* ] (.*)$'
__luminous_number='\!'
__luminous_number=${__luminous_number@P}
@POSIX@
__luminous_prompt() {
  local code=$? number='\!' line
  number=${number@P}
  if [[ $code -ne 0 && $number != "$__luminous_number" ]]; then
    line=$(HISTTIMEFORMAT= builtin history 1)
    [[ $line =~ $__luminous_entry ]] && __luminous_after "$code" "${BASH_REMATCH[1]}"
  fi
  __luminous_number=$number
  return "$code"
}
if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
  PROMPT_COMMAND=(__luminous_prompt "${PROMPT_COMMAND[@]}")
else
  PROMPT_COMMAND="__luminous_prompt${PROMPT_COMMAND:+; $PROMPT_COMMAND}"
fi
fi
"""
_BASH_OFF = r"""if [[ -n ${__luminous_on-} ]]; then
if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
  __luminous_kept=()
  for __luminous_one in "${PROMPT_COMMAND[@]}"; do
    [[ $__luminous_one == __luminous_prompt ]] || __luminous_kept+=("$__luminous_one")
  done
  PROMPT_COMMAND=("${__luminous_kept[@]}")
else
  PROMPT_COMMAND=${PROMPT_COMMAND/__luminous_prompt; /}
  PROMPT_COMMAND=${PROMPT_COMMAND/__luminous_prompt/}
fi
unset -f __luminous_class __luminous_ignored __luminous_after __luminous_note __luminous_prompt
unset -v __luminous_on __luminous_entry __luminous_number __luminous_found __luminous_kept __luminous_one
fi
"""

_ZSH = r"""# luminous-node hook for zsh. To remove it now: eval "$(luminous-node hook --uninstall zsh)"
if [[ -o interactive && -z ${__luminous_on-} ]]; then
typeset -g __luminous_on=1 __luminous_line= __luminous_found=
zmodload zsh/datetime 2>/dev/null
autoload -Uz add-zsh-hook
@POSIX@
__luminous_preexec() { __luminous_line=$1; }
__luminous_precmd() {
  local code=$? line=$__luminous_line
  __luminous_line=
  [[ $code -ne 0 && -n $line ]] && __luminous_after "$code" "$line"
  return 0
}
add-zsh-hook preexec __luminous_preexec
precmd_functions=(__luminous_precmd $precmd_functions)
fi
"""
_ZSH_OFF = r"""if [[ -n ${__luminous_on-} ]]; then
add-zsh-hook -d preexec __luminous_preexec
add-zsh-hook -d precmd __luminous_precmd
unset -f __luminous_class __luminous_ignored __luminous_after __luminous_note
unset -f __luminous_preexec __luminous_precmd
unset __luminous_on __luminous_line __luminous_found
fi
"""

_FISH = r"""# luminous-node hook for fish. To remove it now: luminous-node hook --uninstall fish | source
if status is-interactive; and not functions -q __luminous_after
function __luminous_after --on-event fish_postexec
    set -l code $status
    set -l line "$argv[1]"
    test $code -eq 0; and return
    contains -- $code @WANTED_FISH@; and return
    set -q LUMINOUS_HOOK_OFF; and return
    string match -qr '^\s' -- "$line"; and return
    set -l found
    set -l skip
    for word in (string split -n ' ' -- (string replace -ra '\s+' ' ' -- "$line"))
        set -l name (string replace -r '.*/' '' -- $word)
        if test -n "$skip"
            set skip
            continue
        end
        switch $name
            case -u -g --user --group
                set skip 1
                continue
            case sudo doas time nice env command exec '-*' '*=*' and or not
                continue
            case @CLASSES_FISH@
                set found $name
        end
        break
    end
    test -n "$found"; or return
    set -l folder $PWD
    while test -n "$folder"
        test -e $folder/.luminous-ignore; and return
        set folder (string replace -r '/[^/]*$' '' -- $folder)
    end
    test -e /.luminous-ignore; and return
    switch "$line"
        case @SECRETS_FISH@
            printf '@SKIPPED@\n' >&2
            return
    end
    __luminous_note $found $code
    printf '@HINT@\n' $found $code >&2
end
function __luminous_note
    set -l folder $HOME/.local/share/luminous-node
    test -n "$XDG_DATA_HOME"; and set folder $XDG_DATA_HOME/luminous-node
    test -n "$LUMINOUS_DATA_DIR"; and set folder $LUMINOUS_DATA_DIR
    set folder $folder/spool
    test -d $folder -a -O $folder -a ! -L $folder; or return 0
    set -l noted $folder/*.json
    test (count $noted) -lt @FILES@; or return 0
    set -l now (date +%s%3N)
    read -l -d ' ' mono rest </proc/uptime; or return 0
    read -l boot </proc/sys/kernel/random/boot_id; or return 0
    set mono (string replace . '' -- $mono)0
    set -l name 0"$now"000000-$fish_pid-(random).json
    set -l before (umask)
    umask 077
    printf '@RECORD@' $boot $argv[1] $argv[2] $mono $now >?$folder/$name
    umask $before
    return 0
end
end
"""
_FISH_OFF = "functions -q __luminous_after; and functions -e __luminous_after __luminous_note\n"


def script(shell: str) -> str:
    """The text to evaluate in a shell's start-up file. Raises ValueError for an unknown shell."""
    texts = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
    if shell not in texts:
        raise ValueError(f"no hook for {shell[:40]!r}; there is one for {', '.join(SHELLS)}")
    holes = {
        "@POSIX@": _POSIX.rstrip(),
        "@CLASSES@": "|".join(_CLASSES),
        "@CLASSES_FISH@": " ".join(_CLASSES),
        "@WANTED@": "|".join(map(str, _WANTED)),
        "@WANTED_FISH@": " ".join(map(str, _WANTED)),
        "@SECRETS@": "|".join(_SECRETS),
        "@SECRETS_FISH@": " ".join(f"'{p}'" for p in _fish_patterns()),
        "@SKIPPED@": _SKIPPED,
        "@HINT@": _HINT,
        "@RECORD@": _RECORD,
        "@FILES@": str(SPOOL_FILES_MAX),
        "@NONE@": "(N)" if shell == "zsh" else "",
    }
    text = texts[shell]
    for hole, value in holes.items():
        text = text.replace(hole, value)
    return text


def uninstall_script(shell: str) -> str:
    """The text that removes the hook from a running shell, leaving nothing. Raises ValueError."""
    texts = {"bash": _BASH_OFF, "zsh": _ZSH_OFF, "fish": _FISH_OFF}
    if shell not in texts:
        raise ValueError(f"no hook for {shell[:40]!r}; there is one for {', '.join(SHELLS)}")
    return texts[shell]


def install_line(shell: str) -> str:
    """The line a person adds to the start-up file, and deletes to be rid of the hook."""
    return "luminous-node hook fish | source" if shell == "fish" else f'eval "$(luminous-node hook {shell})"'


def _fish_patterns() -> list[str]:
    """fish has no bracket patterns: each spelling is its own."""
    found = []
    for pattern in _SECRETS:
        start = pattern.find("[")
        if start < 0:
            found.append(pattern)
        else:
            end = pattern.index("]")
            found += [pattern[:start] + letter + pattern[end + 1 :] for letter in pattern[start + 1 : end]]
    return found
