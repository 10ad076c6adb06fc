# Completion of aopctl for fish.

set -l commands lint probe report status help version

complete -c aopctl -f
complete -c aopctl -n __fish_use_subcommand -a lint -d 'Check CA files and client certificates'
complete -c aopctl -n __fish_use_subcommand -a probe -d 'Check what clients without a certificate get'
complete -c aopctl -n __fish_use_subcommand -a report -d 'Check by the log whether it is safe to enforce'
complete -c aopctl -n __fish_use_subcommand -a status -d 'Check the status pages of many origins'
complete -c aopctl -n __fish_use_subcommand -a help -d 'Show how a command is used'
complete -c aopctl -n __fish_use_subcommand -a version -d 'Show the version'
complete -c aopctl -n __fish_use_subcommand -s V -l version -d 'Show the version'
complete -c aopctl -s h -l help -d 'Show how it is used'
complete -c aopctl -n '__fish_seen_subcommand_from help' -a "$commands"

complete -c aopctl -n '__fish_seen_subcommand_from lint' -F
complete -c aopctl -n '__fish_seen_subcommand_from lint' -l ca -rF -d 'A CA file, as in aop_ca'
complete -c aopctl -n '__fish_seen_subcommand_from lint' -l crl -rF -d 'A CRL file, as in aop_crl'
complete -c aopctl -n '__fish_seen_subcommand_from lint' -l depth -x -d 'As in aop_verify_depth'
complete -c aopctl -n '__fish_seen_subcommand_from lint' -l pin -x -d 'As in aop_pin'
complete -c aopctl -n '__fish_seen_subcommand_from lint' -l require -x -a post_quantum -d 'As aop_require'
complete -c aopctl -n '__fish_seen_subcommand_from lint' -l key -rF -d 'The private key of the client certificate'
complete -c aopctl -n '__fish_seen_subcommand_from lint' -l days -x -d 'Warn of expiration within this number of days'
complete -c aopctl -n '__fish_seen_subcommand_from lint' -s q -l quiet -d 'One line'
complete -c aopctl -n '__fish_seen_subcommand_from lint' -l json -d 'The answer as JSON'

complete -c aopctl -n '__fish_seen_subcommand_from probe' -a '(__fish_print_hostnames)'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l sni -x -d 'The name in the handshake'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l host -x -d 'The Host of the requests'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l path -x -d 'The path of the requests'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l cert -rF -d 'A client certificate'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l key -rF -d 'Its private key'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l http-port -x -d 'The port of plain HTTP'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l no-http -d 'No request over plain HTTP'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l timeout -x -d 'Seconds for each visit'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -s q -l quiet -d 'One line'
complete -c aopctl -n '__fish_seen_subcommand_from probe' -l json -d 'The answer as JSON'

complete -c aopctl -n '__fish_seen_subcommand_from report' -F
complete -c aopctl -n '__fish_seen_subcommand_from report' -l since -x -d 'Skip older lines'
complete -c aopctl -n '__fish_seen_subcommand_from report' -l server -x -d 'Only this server'
complete -c aopctl -n '__fish_seen_subcommand_from report' -l name -x -d 'A name of the servers'
complete -c aopctl -n '__fish_seen_subcommand_from report' -l requests -x -d 'Requests from Cloudflare that must have passed'
complete -c aopctl -n '__fish_seen_subcommand_from report' -l time -x -d 'How long nothing must have failed'
complete -c aopctl -n '__fish_seen_subcommand_from report' -l top -x -d 'Length of the lists'
complete -c aopctl -n '__fish_seen_subcommand_from report' -l brief -d 'A line for each server'
complete -c aopctl -n '__fish_seen_subcommand_from report' -l json -d 'The answer as JSON'

complete -c aopctl -n '__fish_seen_subcommand_from status' -l file -rF -d 'A file of URLs'
complete -c aopctl -n '__fish_seen_subcommand_from status' -l cacert -rF -d 'Trust these CAs for https'
complete -c aopctl -n '__fish_seen_subcommand_from status' -l netrc-file -rF -d 'User names and passwords'
complete -c aopctl -n '__fish_seen_subcommand_from status' -l timeout -x -d 'Seconds for each origin'
complete -c aopctl -n '__fish_seen_subcommand_from status' -s q -l quiet -d 'One line'
complete -c aopctl -n '__fish_seen_subcommand_from status' -l json -d 'The answer as JSON'
