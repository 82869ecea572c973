namespace eval anagrams {
    variable words [dict create]
    proc add {word} {
        variable words
        dict lappend words [join [lsort [split [string tolower $word] ""]] ""] $word
    }
    proc groups {} {
        variable words
        return [lsort [lmap group [dict values $words] {
            if {[llength $group] < 2} continue
            lsort $group
        }]]
    }
}
