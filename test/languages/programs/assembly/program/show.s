        .globl  show
        .text
show:
        sub     $8, %rsp
        xor     %eax, %eax
        call    printf@PLT
        add     $8, %rsp
        ret
        .section .note.GNU-stack,"",@progbits
