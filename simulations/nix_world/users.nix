{ ... }:
{
  users.names = [ "root" "@user@" ];
@users_time_zone@
}
