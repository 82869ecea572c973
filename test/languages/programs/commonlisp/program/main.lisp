(load "change.lisp")
(loop for line = (read-line *standard-input* nil)
      while line
      do (let ((amount (parse-integer line)))
           (format t "~D: ~D way~:P~%" amount (ways amount '(50 20 10 5 2 1)))))
