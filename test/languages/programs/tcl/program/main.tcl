source [file join [file dirname [info script]] anagrams.tcl]
while {[gets stdin word] >= 0} { anagrams::add $word }
foreach group [anagrams::groups] { puts [join $group ", "] }
puts "arguments: [llength $argv] [lindex $argv 1]"
